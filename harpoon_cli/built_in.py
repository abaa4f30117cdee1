"""The built-in models as bare rows; imports nothing, so that TAB can name them."""

GB = 1024

BUILT_IN_MODELS = (
    ("gemma-270m", 1 * GB, 1.0, 8192, 18.0),
    ("gemma-2b", 2 * GB, 5.0, 8192, 18.0),
    ("mistral-7b", 6 * GB, 10.0, 32768, 128.0),
    ("qwen-30b", 20 * GB, 30.0, 32768, 96.0),
    ("qwen-32b", 32 * GB, 40.0, 32768, 256.0),
)
"""Name, MB of memory, dense FP16 TFLOPS, tokens of context (the publishers'), KB of cache a token.

From small to large. A token's cache is its keys and values in 16 bits.
"""
