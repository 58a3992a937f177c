from hypothesis import settings

settings.register_profile("dataset", deadline=None, max_examples=60)
settings.load_profile("dataset")
