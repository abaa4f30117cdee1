# fish completion for harpoon. Made by .ci/generate; changes here are lost.
# Commands and options are offered without starting a process; lease ids, pools and models ask harpoon.

# The words before the cursor that are no options, without the program.
function __harpoon_before
    string match --invert -- '-*' (commandline -opc)[2..-1]
end

# Is this the command that is being typed?
function __harpoon_at
    set -l words (__harpoon_before)
    if contains -- "$words[1]" bench completion config route sandbox
        test "$words[1..2]" = "$argv"
    else
        test "$words[1]" = "$argv"
    end
end

function __harpoon_words
    test (count (__harpoon_before)) -eq $argv[1]
end

function __harpoon_live
    set -l program (commandline -opc)[1]
    string match --quiet '*/*' -- $program
    and test -x $program
    or set program harpoon
    type --query $program
    and command $program _complete $argv[1] 2>/dev/null </dev/null
end

complete -c harpoon -f
complete -c harpoon -n '__harpoon_at' -a allocate -d 'Lease a GPU slice and keep it.'
complete -c harpoon -n '__harpoon_at' -a bench -d 'Load-test a server: latencies, throughput and cost that can be believed.'
complete -c harpoon -n '__harpoon_at' -a completion -d 'Complete commands, options, leases, pools and models with TAB in bash, zsh or fish.'
complete -c harpoon -n '__harpoon_at' -a config -d 'Show, check and change the configuration.'
complete -c harpoon -n '__harpoon_at' -a doctor -d 'Check everything between this machine and a working lease, and say how to mend it.'
complete -c harpoon -n '__harpoon_at' -a help -d 'Explain the exit statuses, or list the commands.'
complete -c harpoon -n '__harpoon_at' -a infer -d 'Run a prompt: lease, answer, give back.'
complete -c harpoon -n '__harpoon_at' -a leases -d 'Show the leases that are held, what they cost so far and when they end.'
complete -c harpoon -n '__harpoon_at' -a models -d 'Show the catalogue of models and the pools they fit.'
complete -c harpoon -n '__harpoon_at' -a pools -d 'Show the pools: what they have, what is free, what it costs.'
complete -c harpoon -n '__harpoon_at' -a release -d 'Give leases back.'
complete -c harpoon -n '__harpoon_at' -a route -d 'Learn routing from what your own models made of your prompts.'
complete -c harpoon -n '__harpoon_at' -a route-explain -d 'Say which model a prompt goes to, and why.'
complete -c harpoon -n '__harpoon_at' -a sandbox -d 'Look after the embedded platform: serve it, give it a real model, see and reset it.'
complete -c harpoon -n '__harpoon_at' -l version -s V -d 'Print the version.'
complete -c harpoon -n '__harpoon_at' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at allocate' -l model -s m -d 'A model of the catalogue.' -r -f -a '(__harpoon_live models)'
complete -c harpoon -n '__harpoon_at allocate' -l vram -d 'Memory, such as 20GB or 20480 (MB).' -r
complete -c harpoon -n '__harpoon_at allocate' -l tflops -d 'Dense FP16 TFLOPS.' -r
complete -c harpoon -n '__harpoon_at allocate' -l pool -d 'Lease from this pool; else the cheapest that fits.' -r -f -a '(__harpoon_live pools)'
complete -c harpoon -n '__harpoon_at allocate' -l ttl -d 'The platform ends the lease after this at the latest; 15m unless configured.' -r
complete -c harpoon -n '__harpoon_at allocate' -l wait -l no-wait -d 'Wait until the slice can be used.'
complete -c harpoon -n '__harpoon_at allocate' -l timeout -d 'How long to wait until it is ready.' -r
complete -c harpoon -n '__harpoon_at allocate' -l max-cost -d 'What the lease may cost at most: it is refused, shortened or ended.' -r
complete -c harpoon -n '__harpoon_at allocate' -l dry-run -d 'Show what would be leased; lease nothing.'
complete -c harpoon -n '__harpoon_at allocate' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at allocate' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at allocate' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at allocate' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at allocate' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at allocate' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at allocate' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at allocate' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at allocate' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at bench' -a compare -d 'Compare two results figure by figure, by a test that tells a change from chance.'
complete -c harpoon -n '__harpoon_at bench' -a merge -d 'Put the parts of a run together: the same counts as one process would have had, and one verdict.'
complete -c harpoon -n '__harpoon_at bench' -l model -s m -d 'A model of the catalogue, or as the server of --endpoint calls it. Repeats: each is asked by its weight, -m small=3 -m large=1.' -r -f -a '(__harpoon_live models)'
complete -c harpoon -n '__harpoon_at bench' -l endpoint -d 'Load this server instead; nothing is leased.' -r
complete -c harpoon -n '__harpoon_at bench' -l dialect -d 'What the server of --endpoint speaks.' -r
complete -c harpoon -n '__harpoon_at bench' -l key-env -d 'The variable that holds the key for the server of --endpoint.' -r
complete -c harpoon -n '__harpoon_at bench' -l key-file -d 'A file of yours (mode 0600) that holds that key.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l key-command -d 'A program that prints that key, run without a shell: pass show llm.' -r
complete -c harpoon -n '__harpoon_at bench' -l key-keyring -d 'That key\'s entry in the system\'s keyring.' -r
complete -c harpoon -n '__harpoon_at bench' -l price-per-hour -d 'What an hour of --endpoint\'s server costs.' -r
complete -c harpoon -n '__harpoon_at bench' -l body -d 'Put this field into every request: temperature=0. Repeats.' -r
complete -c harpoon -n '__harpoon_at bench' -l stream -l no-stream -d 'Ask for answers piece by piece, or whole.'
complete -c harpoon -n '__harpoon_at bench' -l route -d 'The routing engine names the model of each prompt.'
complete -c harpoon -n '__harpoon_at bench' -l request-timeout -d 'A request that takes longer has failed; http.inference_s unless given.' -r
complete -c harpoon -n '__harpoon_at bench' -l lease -d 'Use this held lease; nothing is leased or released.' -r -f -a '(__harpoon_live leases)'
complete -c harpoon -n '__harpoon_at bench' -l pool -d 'Lease from this pool; else the cheapest that fits.' -r -f -a '(__harpoon_live pools)'
complete -c harpoon -n '__harpoon_at bench' -l ttl -d 'The platform ends the lease after this at the latest; 15m unless configured.' -r
complete -c harpoon -n '__harpoon_at bench' -l timeout -d 'How long to wait until it is ready.' -r
complete -c harpoon -n '__harpoon_at bench' -l max-cost -d 'What the lease may cost at most: it is refused, shortened or ended.' -r
complete -c harpoon -n '__harpoon_at bench' -l allocation-cycles -d 'Send no load: lease and release so often, and time that.' -r
complete -c harpoon -n '__harpoon_at bench' -l load -d 'closed, constant, poisson, gamma, ramp, step, spike, sweep, trace or soak, with its parameters: poisson:rate=40,for=60s.' -r
complete -c harpoon -n '__harpoon_at bench' -l concurrency -d 'So many requests at once; 8 if nothing is given. With --rate so many at most, and what is due then waits.' -r
complete -c harpoon -n '__harpoon_at bench' -l rate -d 'So many requests a second, whatever is answered.' -r
complete -c harpoon -n '__harpoon_at bench' -l burstiness -d 'With --rate: below 1 in bursts, above 1 more evenly.' -r
complete -c harpoon -n '__harpoon_at bench' -l requests -d 'So many requests at most.' -r
complete -c harpoon -n '__harpoon_at bench' -l duration -d 'Start requests for so long; 30s if nothing ends it.' -r
complete -c harpoon -n '__harpoon_at bench' -l max-duration -d 'End the run after this whatever is left of it; it is then INCOMPLETE.' -r
complete -c harpoon -n '__harpoon_at bench' -l warmup -d 'What is left out at first: auto, none, 30s, 100 (requests).' -r
complete -c harpoon -n '__harpoon_at bench' -l seed -d 'The same seed is the same load and work.' -r
complete -c harpoon -n '__harpoon_at bench' -l processes -d 'Load engines, one core each.' -r
complete -c harpoon -n '__harpoon_at bench' -l work -d 'synthetic, jsonl, sharegpt, text or trace, with its parameters: synthetic:input=512,output=128.' -r
complete -c harpoon -n '__harpoon_at bench' -l prompts -d 'Prompts from a .jsonl, a ShareGPT .json, or text.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l input-tokens -d 'Of made-up prompts: 256, 128..512, normal(256,64).' -r
complete -c harpoon -n '__harpoon_at bench' -l output-tokens -d 'Of an answer, at most.' -r
complete -c harpoon -n '__harpoon_at bench' -l tokenizer -d 'A tokenizer.json, to count where the server does not.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l slo -d 'ttft_p99=500ms,itl_p99=50ms,goodput=95%; status 8 if missed.' -r
complete -c harpoon -n '__harpoon_at bench' -l max-error-rate -d 'More failures are status 8.' -r
complete -c harpoon -n '__harpoon_at bench' -l baseline -d 'Compare with this result; status 8 where it is worse.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l max-regression -d 'How much worse a figure may be than it was.' -r
complete -c harpoon -n '__harpoon_at bench' -l out -d 'The whole result as JSON, to compare with and to merge.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l report -d 'A report by its suffix: .html .md .csv .xml .json. Repeats.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l save-result -d 'The result under the names of vLLM\'s files.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l save-detailed -d 'With --save-result: every request and every gap.'
complete -c harpoon -n '__harpoon_at bench' -l label -d 'A name for the run.' -r
complete -c harpoon -n '__harpoon_at bench' -l metadata -d 'Kept with the result. Repeats.' -r
complete -c harpoon -n '__harpoon_at bench' -l definitions -d 'Say what each figure is, and run nothing.'
complete -c harpoon -n '__harpoon_at bench' -l shard -d 'Run the I-th of N parts (from 0), and write it with --out.' -r
complete -c harpoon -n '__harpoon_at bench' -l start-at -d 'Begin then: 2026-11-22T10:00:00Z, or seconds since 1970.' -r
complete -c harpoon -n '__harpoon_at bench' -l workers -d 'Run the load on all workers of this Dask cluster: tcp://HOST:8786.' -r
complete -c harpoon -n '__harpoon_at bench' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at bench' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at bench' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at bench' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at bench' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at bench' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at bench' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at bench' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at bench' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at bench compare; and __harpoon_words 2' -F
complete -c harpoon -n '__harpoon_at bench compare; and __harpoon_words 3' -F
complete -c harpoon -n '__harpoon_at bench compare' -l max-regression -d 'How much worse a figure may be than it was.' -r
complete -c harpoon -n '__harpoon_at bench compare' -l report -d 'The comparison by its suffix: .md .json. Repeats.' -r -F
complete -c harpoon -n '__harpoon_at bench compare' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at bench compare' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at bench compare' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at bench compare' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at bench compare' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at bench compare' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at bench compare' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at bench compare' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at bench compare' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at bench merge' -F
complete -c harpoon -n '__harpoon_at bench merge' -l out -d 'The whole result as JSON, to compare with and to merge.' -r -F
complete -c harpoon -n '__harpoon_at bench merge' -l report -d 'A report by its suffix: .html .md .csv .xml .json. Repeats.' -r -F
complete -c harpoon -n '__harpoon_at bench merge' -l save-result -d 'The result under the names of vLLM\'s files.' -r -F
complete -c harpoon -n '__harpoon_at bench merge' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at bench merge' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at bench merge' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at bench merge' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at bench merge' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at bench merge' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at bench merge' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at bench merge' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at bench merge' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at completion' -a install -d 'Write the shell\'s completion script where that shell looks for it, and say what is left to do.'
complete -c harpoon -n '__harpoon_at completion' -a show -d 'Print the completion script of a shell.'
complete -c harpoon -n '__harpoon_at completion' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at completion install' -l shell -d 'bash, fish, zsh; else the one that $SHELL names.' -r -f -a 'bash fish zsh'
complete -c harpoon -n '__harpoon_at completion install' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at completion install' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at completion install' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at completion install' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at completion install' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at completion install' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at completion install' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at completion install' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at completion install' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at completion show; and __harpoon_words 2' -f -a 'bash fish zsh'
complete -c harpoon -n '__harpoon_at completion show' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at completion show' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at completion show' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at completion show' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at completion show' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at completion show' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at completion show' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at completion show' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at completion show' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config' -a show -d 'Show every setting as it holds now; secrets are masked.'
complete -c harpoon -n '__harpoon_at config' -a path -d 'Show the files that settings are read from, strongest first.'
complete -c harpoon -n '__harpoon_at config' -a validate -d 'Check every source of settings, and whether together they name a platform; nothing is sent.'
complete -c harpoon -n '__harpoon_at config' -a init -d 'Write a configuration file in which every setting stands as a comment; one that is there is kept.'
complete -c harpoon -n '__harpoon_at config' -a set -d 'Change one setting in a configuration file; it is checked first, and comments are kept where possible.'
complete -c harpoon -n '__harpoon_at config' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config show' -l origin -d 'Say where each value came from.'
complete -c harpoon -n '__harpoon_at config show' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at config show' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at config show' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at config show' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at config show' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at config show' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at config show' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at config show' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at config show' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config path' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at config path' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at config path' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at config path' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at config path' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at config path' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at config path' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at config path' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at config path' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config validate' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at config validate' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at config validate' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at config validate' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at config validate' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at config validate' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at config validate' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at config validate' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at config validate' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config init' -l project -d 'The project\'s harpoon.toml here, not the user\'s file.'
complete -c harpoon -n '__harpoon_at config init' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at config init' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at config init' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at config init' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at config init' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at config init' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at config init' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at config init' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at config init' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at config set; and __harpoon_words 2' -f -a 'profile live platform.base_url platform.api_key_file platform.api_key_command platform.api_key_keyring platform.api_key_expires platform.pool_id platform.auth platform.control platform.inference platform.inference_url platform.insecure_http platform.idempotency_keys platform.ttl platform.lists platform.metadata platform.currency platform.paths.allocate platform.paths.inference platform.paths.pools platform.paths.health http.connect_s http.control_s http.inference_s http.max_body_mb http.ca_bundle http.client_cert http.client_key http.proxy retry.attempts retry.base_s retry.cap_s breaker.failures breaker.probe_s lease.ttl_s lease.ready_s lease.release_s lease.poll_s lease.max_cost routing.small routing.large routing.threshold routing.allow routing.deny routing.regions routing.share routing.quality routing.usd_per_log_odds routing.s_per_log_odds routing.stickiness routing.budget routing.budget_s routing.pressure routing.max_tokens routing.temperature output.format output.color output.accessible output.verbosity sandbox.idle_s sandbox.threads'
complete -c harpoon -n '__harpoon_at config set' -l project -d 'The project\'s harpoon.toml here, not the user\'s file.'
complete -c harpoon -n '__harpoon_at config set' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at config set' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at config set' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at config set' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at config set' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at config set' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at config set' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at config set' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at config set' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at doctor' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at doctor' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at doctor' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at doctor' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at doctor' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at doctor' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at doctor' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at doctor' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at doctor' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at help; and __harpoon_words 1' -f -a 'commands exit-codes'
complete -c harpoon -n '__harpoon_at help' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at help' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at help' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at help' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at help' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at help' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at help' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at help' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at help' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at infer' -l file -s f -d 'Read the prompt from a file.' -r -F
complete -c harpoon -n '__harpoon_at infer' -l model -s m -d 'A model of the catalogue.' -r -f -a '(__harpoon_live models)'
complete -c harpoon -n '__harpoon_at infer' -l pool -d 'Lease from this pool; else the cheapest that fits.' -r -f -a '(__harpoon_live pools)'
complete -c harpoon -n '__harpoon_at infer' -l lease -d 'Use this held lease; nothing is leased or released.' -r -f -a '(__harpoon_live leases)'
complete -c harpoon -n '__harpoon_at infer' -l max-tokens -d 'The longest answer, in tokens.' -r
complete -c harpoon -n '__harpoon_at infer' -l temperature -d '0 to 2.' -r
complete -c harpoon -n '__harpoon_at infer' -l system -d 'A text that stands before the prompt.' -r
complete -c harpoon -n '__harpoon_at infer' -l no-stream -d 'Wait for the whole answer.'
complete -c harpoon -n '__harpoon_at infer' -l keep -d 'Do not release the lease at the end.'
complete -c harpoon -n '__harpoon_at infer' -l explain -d 'Say why this model was chosen.'
complete -c harpoon -n '__harpoon_at infer' -l cascade -d 'The small model answers; the large one where a check says so.'
complete -c harpoon -n '__harpoon_at infer' -l check -d 'With --cascade, what decides: agreement[=0.6], logprob[=-0.5], json, schema=FILE, pattern=REGEX; the last two have 5 s for it.' -r
complete -c harpoon -n '__harpoon_at infer' -l ttl -d 'The platform ends the lease after this at the latest; 15m unless configured.' -r
complete -c harpoon -n '__harpoon_at infer' -l timeout -d 'How long to wait until it is ready.' -r
complete -c harpoon -n '__harpoon_at infer' -l max-cost -d 'What the lease may cost at most: it is refused, shortened or ended.' -r
complete -c harpoon -n '__harpoon_at infer' -l session -d 'Prefer the model that answered last in this session; it is remembered for a day.' -r
complete -c harpoon -n '__harpoon_at infer' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at infer' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at infer' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at infer' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at infer' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at infer' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at infer' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at infer' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at infer' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at leases' -l ours -d 'Only leases in this user\'s ledger.'
complete -c harpoon -n '__harpoon_at leases' -l cost -d 'What our leases cost, ended ones too, from the ledger alone.'
complete -c harpoon -n '__harpoon_at leases' -l since -d 'With --cost: asked for since 2026-11-01 (UTC), 7d or 12h ago; else all there are.' -r
complete -c harpoon -n '__harpoon_at leases' -l watch -s w -d 'Show it again and again until Ctrl-C.'
complete -c harpoon -n '__harpoon_at leases' -l interval -d 'Between two looks with --watch.' -r
complete -c harpoon -n '__harpoon_at leases' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at leases' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at leases' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at leases' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at leases' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at leases' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at leases' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at leases' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at leases' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at models' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at models' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at models' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at models' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at models' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at models' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at models' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at models' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at models' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at pools' -l fits -d 'Say which pools could hold this model now.' -r -f -a '(__harpoon_live models)'
complete -c harpoon -n '__harpoon_at pools' -l watch -s w -d 'Show it again and again until Ctrl-C.'
complete -c harpoon -n '__harpoon_at pools' -l interval -d 'Between two looks with --watch.' -r
complete -c harpoon -n '__harpoon_at pools' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at pools' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at pools' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at pools' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at pools' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at pools' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at pools' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at pools' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at pools' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at release' -f -a '(__harpoon_live leases)'
complete -c harpoon -n '__harpoon_at release' -l all -d 'Every lease in the ledger at this platform.'
complete -c harpoon -n '__harpoon_at release' -l run -d 'Every lease that this CI run asked for.' -r
complete -c harpoon -n '__harpoon_at release' -l overdue -d 'Those past their end, or left open by a command that is gone.'
complete -c harpoon -n '__harpoon_at release' -l theirs -d 'End leases named by id even where another harpoon user owns them.'
complete -c harpoon -n '__harpoon_at release' -l confirmed-gone -d 'Nothing is sent: you have looked at the platform, and the leases named are not there.'
complete -c harpoon -n '__harpoon_at release' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at release' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at release' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at release' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at release' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at release' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at release' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at release' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at release' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at route' -a calibrate -d 'Fit the routing weights on outcomes of your own models; they are used if they prove better.'
complete -c harpoon -n '__harpoon_at route' -a record -d 'Add to the outcomes that route calibrate fits on; nothing is sent anywhere.'
complete -c harpoon -n '__harpoon_at route' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at route calibrate; and __harpoon_words 2' -F
complete -c harpoon -n '__harpoon_at route calibrate' -l dry-run -d 'Fit and judge; change nothing.'
complete -c harpoon -n '__harpoon_at route calibrate' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at route calibrate' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at route calibrate' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at route calibrate' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at route calibrate' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at route calibrate' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at route calibrate' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at route calibrate' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at route calibrate' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at route record' -l file -s f -d 'Read the prompt from a file.' -r -F
complete -c harpoon -n '__harpoon_at route record' -l small -d 'The small model\'s answer: up or down.' -r
complete -c harpoon -n '__harpoon_at route record' -l large -d 'The large model\'s answer: up or down.' -r
complete -c harpoon -n '__harpoon_at route record' -l small-answer -d 'What the small model answered.' -r
complete -c harpoon -n '__harpoon_at route record' -l large-answer -d 'What the large model answered.' -r
complete -c harpoon -n '__harpoon_at route record' -l expected -d 'The right answer, if there is one.' -r
complete -c harpoon -n '__harpoon_at route record' -l group -d 'The same for prompts about the same question.' -r
complete -c harpoon -n '__harpoon_at route record' -l to -d 'Another file to add the row to.' -r -F
complete -c harpoon -n '__harpoon_at route record' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at route record' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at route record' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at route record' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at route record' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at route record' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at route record' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at route record' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at route record' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at route-explain' -l file -s f -d 'Read the prompt from a file.' -r -F
complete -c harpoon -n '__harpoon_at route-explain' -l model -s m -d 'A model of the catalogue.' -r -f -a '(__harpoon_live models)'
complete -c harpoon -n '__harpoon_at route-explain' -l pool -d 'Lease from this pool; else the cheapest that fits.' -r -f -a '(__harpoon_live pools)'
complete -c harpoon -n '__harpoon_at route-explain' -l max-tokens -d 'The longest answer, in tokens.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l system -d 'A text that stands before the prompt.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l max-cost -d 'What the lease may cost at most: it is refused, shortened or ended.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l session -d 'Prefer the model that answered last in this session; it is remembered for a day.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l what-if -d 'Assume this instead; repeats. Keys: vram.free (GB of the largest free slice, in every pool), tflops.free (TFLOPS of the largest free slice, in every pool), slices.free (free slices in every pool), price.hour (price of an hour, in every pool), price.MODEL (USD for a million tokens of the model), latency.MODEL (seconds that an answer of the model takes), context.MODEL (tokens of the model\'s context), share (share of usual prompts for a larger model, 0 to 1), quality (share of the large model\'s gain to win, 0 to 1), threshold (probability from which a prompt is heavy, 0 to 1), max-tokens (tokens of the longest answer), max-cost (ceiling on what the lease may cost), budget.used (share of the budget that is spent, 0 to 1), deadline (seconds that an answer may take).' -r
complete -c harpoon -n '__harpoon_at route-explain' -l assert -d 'Status 8 unless the decision has this model, wanted or pool: model=gemma-270m. Repeats.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l batch -d 'Foretell shares and cost for the prompts in a file: one a line, or {"prompt": …} a line.' -r -F
complete -c harpoon -n '__harpoon_at route-explain' -l replay -d 'Decide again what -o json has recorded: the same bytes, or status 8.' -r -F
complete -c harpoon -n '__harpoon_at route-explain' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at route-explain' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at route-explain' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at route-explain' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at route-explain' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at route-explain' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at route-explain' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at route-explain' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at route-explain' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox' -a pull -d 'Give the sandbox a real small language model, so that its answers come from one.'
complete -c harpoon -n '__harpoon_at sandbox' -a serve -d 'Serve the sandbox over HTTP on loopback, for curl and other clients.'
complete -c harpoon -n '__harpoon_at sandbox' -a status -d 'Say what the sandbox has: who answers, which model, how many leases, whether the engine runs.'
complete -c harpoon -n '__harpoon_at sandbox' -a stop -d 'End the local engine. It would end by itself after ten idle minutes.'
complete -c harpoon -n '__harpoon_at sandbox' -a reset -d 'Forget the sandbox\'s leases and end its engine; the pulled model stays.'
complete -c harpoon -n '__harpoon_at sandbox' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l model-file -d 'Use this GGUF file; nothing is fetched.' -r -F
complete -c harpoon -n '__harpoon_at sandbox pull' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at sandbox pull' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at sandbox pull' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at sandbox pull' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at sandbox pull' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l host -d 'A loopback address.' -r
complete -c harpoon -n '__harpoon_at sandbox serve' -l port -d '0 chooses a free one.' -r
complete -c harpoon -n '__harpoon_at sandbox serve' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at sandbox serve' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at sandbox serve' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at sandbox serve' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at sandbox serve' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox status' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at sandbox status' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at sandbox status' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at sandbox status' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at sandbox status' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at sandbox status' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at sandbox status' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at sandbox status' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at sandbox status' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at sandbox stop' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at sandbox stop' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at sandbox stop' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at sandbox stop' -l help -d 'Show this message and exit.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l force -d 'Even while leases are live.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l output -s o -d 'table, json, tsv or ids.' -r -f -a 'auto ids json table tsv'
complete -c harpoon -n '__harpoon_at sandbox reset' -l quiet -s q -d 'Only the result: ids where there are any; errors are still told.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l verbose -s v -d 'Say what is done; -vv says every call.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l no-color -d 'No colours.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l accessible -d 'Plain lines: no spinner, nothing repainted.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l config -d 'Use this configuration file or directory.' -r -F
complete -c harpoon -n '__harpoon_at sandbox reset' -l profile -d 'Apply this profile of the configuration.' -r
complete -c harpoon -n '__harpoon_at sandbox reset' -l live -d 'Never use the sandbox: without an endpoint, fail.'
complete -c harpoon -n '__harpoon_at sandbox reset' -l help -d 'Show this message and exit.'
