"""What several backends share: ports, connections, tools, and servers that read a file."""
