"""Third parties' lists of networks: reading of files, fetching, and the content in force."""
