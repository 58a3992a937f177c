"""Lenders of models: the only place that imports the WebUI, diffusers or transformers."""
