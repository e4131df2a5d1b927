#compdef codex-manager
# Completions of codex-manager for zsh; made by `codex-manager completions zsh`.
_codex-manager() {
    local program=${(Q)words[1]} line
    local -a answer fields whole begun
    answer=("${(@f)$("${program/#\~\//$HOME/}" completions zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    case $answer[1] in
        '') return 1 ;;
        :dirs$'\t'* | :files$'\t'*)
            fields=("${(@ps:\t:)answer[1]}")
            compset -P "${(b)fields[2]}"
            if [[ $fields[1] == :dirs ]]; then _files -/; else _files; fi
            return
            ;;
    esac
    for line in $answer; do
        fields=("${(@ps:\t:)line}")
        line=${fields[1]//:/\\:}${fields[2]:+:$fields[2]}
        if [[ -n $fields[3] ]]; then begun+=("$line"); else whole+=("$line"); fi
    done
    local found=1
    (($#whole)) && _describe -V codex-manager whole && found=0
    (($#begun)) && _describe -V codex-manager begun -S '' && found=0
    return found
}
if [[ $funcstack[1] == _codex-manager ]]; then
    _codex-manager "$@"
elif (($+functions[compdef])); then
    compdef _codex-manager codex-manager
fi
