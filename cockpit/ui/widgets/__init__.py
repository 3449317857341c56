"""What draws one thing: all of them on lines of strips, of which only changed ones repaint."""
