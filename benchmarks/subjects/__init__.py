"""What is timed: each module has a function `subjects()`, and runs in a process of its own."""
