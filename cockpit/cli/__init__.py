"""The shell: argument parsing only. Each command's module is loaded when it is called."""
