"""What of the input speaks for a class: heat-maps by six methods, how far to trust them, and what fools the network."""
