"""What is made from the program: its documentation. Not shipped."""
