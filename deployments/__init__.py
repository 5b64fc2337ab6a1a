"""Where the flows run: the service on one machine, its demo, and templates of GPU work pools."""
