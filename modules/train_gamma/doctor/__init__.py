"""What is wrong with a dataset, told before it costs a night, and what can be done about it."""
