"""What the features of a network are: their filters, their maps, what excites them, and which say nothing."""
