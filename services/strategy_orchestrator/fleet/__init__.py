"""Sites, groups, and how many sites of a group may change at once."""
