"""What plays the control plane: each controller looks at objects and writes what should follow. All are quick and without waiting."""
