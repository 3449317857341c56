"""What fills the terminal: the fleet, one run, and the small questions on top of them."""
