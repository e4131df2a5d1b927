# Completions of codex-manager for bash 3.2 or newer; made by `codex-manager completions bash`.
_codex_manager() {
    local program=$1 answer line
    case $program in
        "~/"*) program=$HOME/${program#"~/"} ;;
    esac
    COMPREPLY=()
    answer=$("$program" completions bash -- "$2" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || return 0
    case $answer in
        '') return 0 ;;
        :dirs) compopt -o filenames -o dirnames +o nospace 2>/dev/null || COMPREPLY=($(compgen -d -- "$2")) ;;
        :files) compopt -o filenames -o default +o nospace 2>/dev/null || COMPREPLY=($(compgen -f -- "$2")) ;;
        *)
            while IFS= read -r line; do
                COMPREPLY+=("$line")
            done <<<"$answer"
            ;;
    esac
}
# The answers end in the space that follows a whole word.
if [[ ${BASH_VERSINFO[0]} -gt 4 || ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 ]]; then
    complete -o nospace -o nosort -F _codex_manager codex-manager
else
    complete -o nospace -F _codex_manager codex-manager
fi
