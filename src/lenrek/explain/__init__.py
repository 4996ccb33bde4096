"""What a network is and does: its layers and cost, what each feature sees, what it learned to ignore."""
