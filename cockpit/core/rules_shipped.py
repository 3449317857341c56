"""The rules that hold a tool call when the operator has set none: what cannot be taken back."""

from cockpit.core.rule import Rule

_ANY = r"(?: |$)"
_OPTIONS = r"(?: -\S+)*"
_GIT = r"^git(?: (?:-[Cc] \S+|--(?:git-dir|work-tree|namespace|exec-path)[= ]\S+|-(?![Cc] )(?!-(?:git-dir|work-tree|namespace|exec-path)\b)\S+))*"
_LIKE = r"(?:[\w.-]{0,60}[._/-])?"
"""A name in front of a word: `prod-deploy`, `scripts/deploy`."""

PUSH = (
    Rule("git push", text=rf"{_GIT} (?:push|send-pack|\$\S*){_ANY}"),
    Rule("git push", text=rf"{_GIT} (?:subtree|lfs|annex|svn) (?:push|dcommit|copy|sync){_ANY}"),
    Rule("git push", text=rf"^(?:hg|jj git|hub|fossil|sl) push{_ANY}"),
    Rule(
        "git push",
        text=r"^gh (?:pr (?:create|merge|close)|repo (?:create|delete|sync|edit)|api .*-X)",
    ),
    Rule("git push", tool=r"mcp__.*(?:push_files|create_pull_request|merge_pull_request).*"),
)
REMOVE = (
    Rule(
        "rm -r outside the workspace",
        text=r"^rm (?:\S+ )*?(?:-[a-z]*r[a-z]*|--recursive|\$\S*)(?: |$)",
        outside_workspace=True,
    ),
    Rule("rm -r outside the workspace", text=r"^find .*-delete", outside_workspace=True),
    Rule("rm -r outside the workspace", text=r"^rsync .*--del", outside_workspace=True),
    Rule("rm -r outside the workspace", text=rf"^(?:mkfs\S*|wipefs|shred){_ANY}"),
    Rule("rm -r outside the workspace", text=r"^dd .*of=/dev/"),
)
DEPLOY = (
    Rule(
        "deploy",
        text=rf"^(?:terraform|tofu|terragrunt){_OPTIONS} (?:apply|destroy|import|state|taint|run-all|\$\S*){_ANY}",
    ),
    Rule("deploy", text=rf"^pulumi{_OPTIONS} (?:up|update|destroy|import|refresh){_ANY}"),
    Rule(
        "deploy",
        text=r"^(?:kubectl|oc|k)(?: (?:-n|--namespace|--context|--kubeconfig) \S+| -(?!(?:n|-namespace|-context|-kubeconfig) )\S+)*"
        r" (?:apply|delete|replace|patch|scale|rollout|drain|create|set|edit|cordon|taint|exec|run"
        rf"|annotate|label|expose|autoscale|\$\S*){_ANY}",
    ),
    Rule(
        "deploy",
        text=rf"^(?:helm|helmfile){_OPTIONS} (?:install|upgrade|uninstall|delete|rollback|apply|sync|destroy){_ANY}",
    ),
    Rule(
        "deploy",
        text=r"^(?:fly|flyctl) (?:deploy|launch|scale|destroy|apps|machines?|secrets|volumes|postgres|pg)"
        rf"{_ANY}",
    ),
    Rule("deploy", text=r"^(?:vercel|now)(?:$| (?:deploy|promote|rollback|remove|rm|alias|env|--prod|-\S+))"),
    Rule("deploy", text=rf"^(?:netlify|ntl|firebase|surge|wrangler|sam|cdk|sst|eb|railway|copilot|dokku){_OPTIONS} (?:.* )?(?:deploy|publish|up|destroy|delete|sites:delete){_ANY}"),
    Rule("deploy", text=rf"^(?:serverless|sls|amplify|cap|kamal|fastlane|nomad|waypoint|ecs-cli) (?:.* )?(?:deploy|remove|push|publish|run|setup){_ANY}"),
    Rule("deploy", text=rf"^(?:gcloud|az|doctl|heroku|oci|ibmcloud) .*(?:deploy|create|delete|update|destroy|set|add|remove|submit|release|scale|up)\S*{_ANY}"),
    Rule("deploy", text=r"^aws .*\b(?:create|delete|put|update|terminate|run|deploy|start|stop|modify|attach|detach|reboot|sync|cp|rm|mv|rb|mb|invoke|send)"),
    Rule("deploy", text=r"^(?:ansible-playbook|ansible|salt|chef-client|puppet apply|docker stack|docker service)(?: |$)"),
    Rule("deploy", text=rf"^(?:npm|pnpm|yarn|bun|make|just|task|rake|mix|invoke|nox|tox|composer)(?: run| -\S+)* {_LIKE}(?:deploy|release|rollout|ship)(?:[:._-]\S*)?{_ANY}"),
    Rule("deploy", text=rf"^{_LIKE}deploy(?:[._-]\S*)?{_ANY}"),
    Rule("deploy", text=rf"^gh (?:workflow run|run rerun|secret set|variable set|deployment){_ANY}"),
    Rule("deploy", tool=r"mcp__.*deploy.*"),
)  # fmt: skip
PUBLISH = (
    Rule("publish", text=rf"^(?:npm|pnpm|yarn|bun|jsr|lerna|changeset|nx)(?: npm| -\S+| release)* (?:publish|unpublish|deprecate|dist-tag){_ANY}"),
    Rule("publish", text=rf"^(?:twine upload|cargo (?:\+\S+ )?(?:publish|yank)|gem (?:push|yank)|mvn .*deploy|gradlew? .*publish\S*|dotnet nuget push|nuget push|goreleaser|pod trunk push|vsce publish|ovsx publish|clojars|mix hex\.publish|dart pub publish|flutter pub publish|swift package-registry publish){_ANY}"),
    Rule("publish", text=rf"^(?:poetry|uv|flit|hatch|pdm|maturin|semantic-release|release-it|np)(?: -\S+)*(?: (?:publish|upload)){_ANY}"),
    Rule("publish", text=rf"^(?:semantic-release|release-it|np){_ANY}"),
    Rule("publish", text=rf"^(?:docker|podman|nerdctl|helm|oras|crane|skopeo|buildah)(?: (?:image|manifest|compose|-\S+))* (?:push|copy){_ANY}"),
    Rule("publish", text=r"^(?:docker|podman) .*build.* --push"),
    Rule("publish", text=r"^(?:python[\d.]*|setup\.py) .*\bupload(?: |$)"),
    Rule("publish", text=rf"^(?:hf|huggingface-cli) (?:upload\S*|repo){_ANY}"),
    Rule("publish", text=rf"^gh (?:release (?:create|upload|edit|delete)|gist create|issue create|pr comment|issue comment){_ANY}"),
    Rule("publish", tool=r"mcp__.*(?:publish|tweet|create_post|post_message|create_release).*"),
)  # fmt: skip
MAIL = (
    Rule("mail", text=rf"^(?:sendmail|mail|mailx|mutt|neomutt|msmtp|swaks|ssmtp|exim4?|himalaya|s-nail|git send-email){_ANY}"),
    Rule("mail", text=r"smtps?://|\bsmtplib\b|nodemailer|sendmail\("),
    Rule("mail", tool=r"mcp__.*(?:send|reply|forward|create).*(?:e?mail|message|draft|sms).*"),
    Rule("mail", tool=r"mcp__.*(?:gmail|outlook|sendgrid|mailgun|postmark|twilio).*(?:send|reply|forward).*"),
    Rule("mail", hosts=("api.sendgrid.com", "api.mailgun.net", "api.postmarkapp.com", "api.resend.com", "*.smtp.com", "api.twilio.com")),
)  # fmt: skip
PAY = (
    Rule("pay", text=rf"^stripe {_OPTIONS}(?:charges|payment_intents|payouts|transfers|refunds|subscriptions|invoices|post|delete){_ANY}"),
    Rule("pay", tool=r"mcp__.*(?:pay|charge|purchase|checkout|payout|refund|place_order|transfer_funds|invoice|buy_).*"),
    Rule("pay", hosts=("api.stripe.com", "*.paypal.com", "api.braintreegateway.com", "*.adyen.com", "api.coinbase.com", "api.wise.com", "connect.squareup.com", "api.mollie.com", "api.gocardless.com")),
)  # fmt: skip
UNSEEN = (
    Rule(
        "a script nobody has seen",
        text=r"^(?:sh|bash|zsh|dash|ksh|fish|ash|python[\d.]*|node|perl|ruby|php) (?:<-|\$\(\))$",
    ),
    Rule("a script nobody has seen", text=r"^(?:eval|source|\.) .*\$\("),
)

SHIPPED: tuple[Rule, ...] = (*PUSH, *REMOVE, *DEPLOY, *PUBLISH, *MAIL, *PAY, *UNSEEN)
NAMES: tuple[str, ...] = tuple(dict.fromkeys(rule.name for rule in SHIPPED))
"""What settings can switch off, one by one."""
