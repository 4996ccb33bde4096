"""How little must be changed in an input to change the answer: FGSM, PGD, and the accuracy that they leave."""
