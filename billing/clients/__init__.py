"""The agency's pages about its clients: who they are, what they have left, who signs in."""
