"""The types of triggers, a file each; they know nothing of each other."""
