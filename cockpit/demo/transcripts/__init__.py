"""Session files as the real agents write them, with the usage the provider returned."""

from cockpit.demo.plan import Place, Plan
from cockpit.demo.transcripts.claude import ClaudeTranscript
from cockpit.demo.transcripts.codex import CodexRollout
from cockpit.demo.transcripts.copilot import CopilotEvents
from cockpit.demo.transcripts.qwen import QwenChat
from cockpit.demo.turns import Transcript


def open_transcript(plan: Plan, place: Place) -> Transcript:
    match plan.agent:
        case "claude-code":
            return ClaudeTranscript(plan, place)
        case "codex":
            return CodexRollout(plan, place)
        case "copilot":
            return CopilotEvents(plan, place)
        case "qwen":
            return QwenChat(plan, place)
