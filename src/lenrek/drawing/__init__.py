"""Pictures drawn as markup, of numbers and of samples: what reports and explanations put on their pages."""
