"""Personal data: where it is and why, its erasure in time, and the requests of people."""
