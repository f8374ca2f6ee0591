"""What tests of allowsync and of third-party backends build on. Import the module you need."""
