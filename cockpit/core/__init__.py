"""What is true: pure functions and frozen data. No disk, no clock, no screen, no SDK."""
