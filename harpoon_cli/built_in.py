"""The built-in models as bare rows; imports nothing, so that TAB can name them."""

GB = 1024

BUILT_IN_MODELS = (
    ("gemma-270m", 1 * GB, 1.0, 8192),
    ("gemma-2b", 2 * GB, 5.0, 8192),
    ("mistral-7b", 6 * GB, 10.0, 32768),
    ("qwen-30b", 20 * GB, 30.0, 32768),
    ("qwen-32b", 32 * GB, 40.0, 32768),
)
"""Name, MB of memory, dense FP16 TFLOPS, tokens of context (the publishers'), from small to large."""
