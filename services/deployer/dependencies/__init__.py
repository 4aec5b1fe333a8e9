"""What a release needs of its site and of the other apps there, and which releases may come to it."""
