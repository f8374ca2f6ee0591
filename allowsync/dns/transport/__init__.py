"""The transports of questions: UDP, TCP, TLS and HTTPS."""
