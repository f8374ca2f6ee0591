"""One run, and the other use cases that change something: adopt, clear, roll back."""
