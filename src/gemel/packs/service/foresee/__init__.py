"""What is about to happen: to each customer who is in the service, and at each station."""
