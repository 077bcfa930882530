"""The workers: several processes that train one model together."""
