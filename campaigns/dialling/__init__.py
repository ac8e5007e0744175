"""The parts of the dispatcher: what it reads, how it paces, sends and recovers."""
