"""What models cost: genai-prices compiled, corrected by our overlay and the user's."""
