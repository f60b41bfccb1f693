"""Template tags of the pretend SeQura."""
