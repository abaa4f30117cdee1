# bash completion for harpoon. Made by .ci/generate; changes here are lost.
# Commands and options are offered without starting a process; lease ids, pools and models ask harpoon.

# Offer words that begin with what is typed, quoted so that the shell reads them as they are.
_harpoon_offer() {
    local word quoted
    for word in "$@"; do
        printf -v quoted %q "$word"
        [[ $quoted == "$typed"* ]] && quoted=$head$quoted && COMPREPLY+=("${quoted#"$settled"}")
    done
}

_harpoon_live() {
    local program=${COMP_WORDS[0]} value
    [[ $program == */* && -x $program ]] || program=harpoon
    while IFS= read -r value; do
        _harpoon_offer "$value"
    done < <("$program" _complete "$1" 2>/dev/null </dev/null)
}

_harpoon_paths() {
    compopt -o default 2>/dev/null
}

_harpoon() {
    local line=${COMP_LINE:0:COMP_POINT} last=${COMP_WORDS[COMP_CWORD]}
    local typed="" head="" settled="" path="" option="" word
    local -i place=0
    local -a words
    COMPREPLY=()
    [[ $last == [\'\"]* ]] && return # nothing that is offered needs quotes
    read -ra words <<<"$line"
    if [[ $line != *[[:space:]] ]]; then
        typed=${words[${#words[@]} - 1]}
        unset "words[${#words[@]}-1]"
    fi

    # Readline replaces only what follows the last "=" or ":"; what stands before it is settled.
    [[ $last == [=:]* ]] && last=""
    [[ $typed == *"$last" ]] && settled=${typed%"$last"}

    for word in "${words[@]:1}"; do
        if [[ -n $option ]]; then
            option=""
            continue
        fi
        case "$path/$word" in
        "/allocate" | "/bench" | "bench/compare" | "bench/merge" | "/completion" | "completion/install" | "completion/show" | "/config" | "config/show" | "config/path" | "config/validate" | "config/init" | "config/set" | "/doctor" | "/help" | "/infer" | "/leases" | "/models" | "/pools" | "/release" | "/route" | "route/calibrate" | "route/record" | "/route-explain" | "/sandbox" | "sandbox/pull" | "sandbox/serve" | "sandbox/status" | "sandbox/stop" | "sandbox/reset")
            path="${path:+$path }$word"
            continue
            ;;
        esac
        case "$word" in
        --allocation-cycles | --assert | --baseline | --batch | --body | --burstiness | --check | --concurrency | --config | --dialect | --duration | --endpoint | --expected | --file | --fits | --group | --host | --input-tokens | --interval | --key-command | --key-env | --key-file | --key-keyring | --label | --large | --large-answer | --lease | --load | --max-cost | --max-duration | --max-error-rate | --max-regression | --max-tokens | --metadata | --model | --model-file | --out | --output | --output-tokens | --pool | --port | --price-per-hour | --processes | --profile | --prompts | --rate | --replay | --report | --request-timeout | --requests | --run | --save-result | --seed | --session | --shard | --shell | --since | --slo | --small | --small-answer | --start-at | --system | --temperature | --tflops | --timeout | --to | --tokenizer | --ttl | --vram | --warmup | --what-if | --work | --workers | -f | -m | -o) option=$word ;;
        -*) ;;
        *) place+=1 ;;
        esac
    done

    if [[ -z $option && $typed == --*=* ]]; then
        option=${typed%%=*}
        head="$option="
        typed=${typed#*=}
    fi
    if [[ -n $option ]]; then
        case "$option" in
        --allocation-cycles | --assert | --body | --burstiness | --check | --concurrency | --dialect | --duration | --endpoint | --expected | --group | --host | --input-tokens | --interval | --key-command | --key-env | --key-keyring | --label | --large | --large-answer | --load | --max-cost | --max-duration | --max-error-rate | --max-regression | --max-tokens | --metadata | --output-tokens | --port | --price-per-hour | --processes | --profile | --rate | --request-timeout | --requests | --run | --seed | --session | --shard | --since | --slo | --small | --small-answer | --start-at | --system | --temperature | --tflops | --timeout | --ttl | --vram | --warmup | --what-if | --work | --workers) : ;;
        --lease) _harpoon_live leases ;;
        --fits | --model | -m) _harpoon_live models ;;
        --pool) _harpoon_live pools ;;
        --output | -o) _harpoon_offer auto ids json table tsv ;;
        --shell) _harpoon_offer bash fish zsh ;;
        --baseline | --batch | --config | --file | --key-file | --model-file | --out | --prompts | --replay | --report | --save-result | --to | --tokenizer | -f) _harpoon_paths ;;
        esac
        return
    fi
    if [[ $typed == -* ]]; then
        case "$path" in
        "") _harpoon_offer --version -V --help ;;
        "allocate") _harpoon_offer --model -m --vram --tflops --pool --ttl --wait --no-wait --timeout --max-cost --dry-run --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "bench") _harpoon_offer --model -m --endpoint --dialect --key-env --key-file --key-command --key-keyring --price-per-hour --body --stream --no-stream --route --request-timeout --lease --pool --ttl --timeout --max-cost --allocation-cycles --load --concurrency --rate --burstiness --requests --duration --max-duration --warmup --seed --processes --work --prompts --input-tokens --output-tokens --tokenizer --slo --max-error-rate --baseline --max-regression --out --report --save-result --save-detailed --label --metadata --definitions --shard --start-at --workers --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "bench compare") _harpoon_offer --max-regression --report --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "bench merge") _harpoon_offer --out --report --save-result --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "completion") _harpoon_offer --help ;;
        "completion install") _harpoon_offer --shell --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "completion show") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "config") _harpoon_offer --help ;;
        "config show") _harpoon_offer --origin --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "config path") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "config validate") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "config init") _harpoon_offer --project --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "config set") _harpoon_offer --project --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "doctor") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "help") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "infer") _harpoon_offer --file -f --model -m --pool --lease --max-tokens --temperature --system --no-stream --keep --explain --cascade --check --ttl --timeout --max-cost --session --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "leases") _harpoon_offer --ours --cost --since --watch -w --interval --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "models") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "pools") _harpoon_offer --fits --watch -w --interval --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "release") _harpoon_offer --all --run --overdue --theirs --confirmed-gone --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "route") _harpoon_offer --help ;;
        "route calibrate") _harpoon_offer --dry-run --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "route record") _harpoon_offer --file -f --small --large --small-answer --large-answer --expected --group --to --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "route-explain") _harpoon_offer --file -f --model -m --pool --max-tokens --system --max-cost --session --what-if --assert --batch --replay --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "sandbox") _harpoon_offer --help ;;
        "sandbox pull") _harpoon_offer --model-file --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "sandbox serve") _harpoon_offer --host --port --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "sandbox status") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "sandbox stop") _harpoon_offer --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        "sandbox reset") _harpoon_offer --force --output -o --quiet -q --verbose -v --no-color --accessible --config --profile --live --help ;;
        esac
        return
    fi
    case "$path/$place" in
        "/0") _harpoon_offer allocate bench completion config doctor help infer leases models pools release route route-explain sandbox ;;
        "bench/0") _harpoon_offer compare merge ;;
        "bench compare/0") _harpoon_paths ;;
        "bench compare/1") _harpoon_paths ;;
        "bench merge/"*) _harpoon_paths ;;
        "completion/0") _harpoon_offer install show ;;
        "completion show/0") _harpoon_offer bash fish zsh ;;
        "config/0") _harpoon_offer show path validate init set ;;
        "config set/0") _harpoon_offer profile live platform.base_url platform.api_key_file platform.api_key_command platform.api_key_keyring platform.api_key_expires platform.pool_id platform.auth platform.control platform.inference platform.inference_url platform.insecure_http platform.idempotency_keys platform.ttl platform.lists platform.metadata platform.currency platform.paths.allocate platform.paths.inference platform.paths.pools platform.paths.health http.connect_s http.control_s http.inference_s http.max_body_mb http.ca_bundle http.client_cert http.client_key http.proxy retry.attempts retry.base_s retry.cap_s breaker.failures breaker.probe_s lease.ttl_s lease.ready_s lease.release_s lease.poll_s lease.max_cost routing.small routing.large routing.threshold routing.allow routing.deny routing.regions routing.share routing.quality routing.usd_per_log_odds routing.s_per_log_odds routing.stickiness routing.budget routing.budget_s routing.pressure routing.max_tokens routing.temperature output.format output.color output.accessible output.verbosity sandbox.idle_s sandbox.threads ;;
        "config set/1") : ;;
        "help/0") _harpoon_offer commands exit-codes ;;
        "infer/0") : ;;
        "release/"*) _harpoon_live leases ;;
        "route/0") _harpoon_offer calibrate record ;;
        "route calibrate/0") _harpoon_paths ;;
        "route record/0") : ;;
        "route-explain/0") : ;;
        "sandbox/0") _harpoon_offer pull serve status stop reset ;;
    esac
}

complete -F _harpoon harpoon
