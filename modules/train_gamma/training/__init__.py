"""The training loop and what it needs: configuration, noise, loss, optimizers, state and events."""
