"""Training that begins with a network trained elsewhere: what is kept of it, what is frozen, what is learnt anew."""
