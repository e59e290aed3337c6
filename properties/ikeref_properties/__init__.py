"""What must hold, for any implementation."""
