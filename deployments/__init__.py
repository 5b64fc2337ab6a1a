"""Where the flows run: the service on one machine, its work pools, workers and automations."""
