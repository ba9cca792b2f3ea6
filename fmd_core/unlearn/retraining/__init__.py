"""Methods that train the same network anew, on the same people, to be held against unlearning."""
