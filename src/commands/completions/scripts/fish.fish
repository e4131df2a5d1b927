# Completions of codex-manager for fish 3 or newer; made by `codex-manager completions fish`.
function __codex_manager_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l answer (command $program completions fish -- $words "$word" 2>/dev/null)
    set -l fields (string split \t -- "$answer[1]")
    switch "$fields[1]"
        case :dirs
            for path in (__fish_complete_directories "$fields[3]" '')
                echo "$fields[2]$path"
            end
        case :files
            for path in (__fish_complete_path "$fields[3]" '')
                echo "$fields[2]$path"
            end
        case '*'
            string replace -r '\t-$' '' -- $answer
    end
end
complete -c codex-manager -e
complete -c codex-manager -f -k -a '(__codex_manager_complete)'
