"""What is known about the weights in use: where they come from, how good they are. It holds no measurement.

The weights are hand-set, not fitted: the intercept here, each signal's weight in its own file. They were
tried on per-prompt outcomes of a small and a large model over five public benchmarks:

    MMLU (MIT) and GSM8K (MIT), Mixtral-8x7B-Instruct and GPT-4-1106, answers published by lm-sys/RouteLLM
    (Apache-2.0); GSM8K (MIT) and MATH level 5 (MIT), gemma-2-2b-it and Qwen2-72B/Qwen2.5-32B-Instruct, by
    WildEval/ZeroEval (Apache-2.0); MMLU-Pro, gemma-7b and Qwen1.5-72B-Chat, by TIGER-AI-Lab (Apache-2.0).

2,505 held-out rows, no question of which is in the 14,192 rows used for fitting. APGR is the share of the
large model's gain that is won, averaged over all shares of calls given to it: about 0.5 for a random order.

                                    within a benchmark, mean of five    the five mixed, equal weight
    these weights                   0.471 (0.43 to 0.51)                0.529 (0.50 to 0.56)
    length of the prompt alone      0.514 (0.48 to 0.55)                0.446 (0.41 to 0.49)
    random order                    0.500                               0.500
    the same signals, fitted        0.576                               0.463

In brackets 95 % intervals, by resampling the rows. So these weights do not beat the prompt's length within
a kind of question, and beat it, but hardly chance, between kinds; they give the operator a rule that can be
read, not a proven one.

The fit (logistic regression, one intercept a benchmark) was not shipped: it wins within a benchmark by
sending mathematics and reasoning to the small model, since on hard examination questions both models fail;
mixed, it is worse than chance. Held to the signs their names promise, fitted weights do not clearly beat the
length of the prompt (0.511 within, 0.455 mixed). The words that ask for a task (summarise, JSON, prove)
hardly occur in examinations, so these data cannot say what they are worth.
"""

from __future__ import annotations

from harpoon_cli.routing.decision import Quality

INTERCEPT = -2.2
"""Log-odds for an empty prompt; set so that a plain text of about 2,000 characters is even."""

QUALITY = Quality(
    weights="hand-set, not fitted",
    note=(
        "Generic weights over English words, not learnt from your traffic: among exam questions of one kind "
        "they choose no better than chance, between kinds hardly better. Use --model where you know better."
    ),
    source="2,505 held-out rows of MMLU, GSM8K, MATH and MMLU-Pro outcomes; APGR, random is 0.5",
    figures=(
        ("APGR within a benchmark", 0.471),
        ("APGR within a benchmark, prompt length alone", 0.514),
        ("APGR over mixed benchmarks", 0.529),
        ("APGR over mixed benchmarks, prompt length alone", 0.446),
    ),
)
