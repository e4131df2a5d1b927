# Completions of codex-manager for Elvish; made by `codex-manager completions elvish`.
use str
set edit:completion:arg-completer[codex-manager] = {|@words|
  var answer = []
  try {
    set answer = [((external $words[0]) completions elvish -- $@words 2>/dev/null | from-lines)]
  } catch {
  }
  for line $answer {
    var fields = [(str:split "\t" $line)]
    var value = $fields[0]
    if (or (eq $value :dirs) (eq $value :files)) {
      edit:complete-filename $words[-1]
    } else {
      var about = ''
      if (not-eq $fields[1] '') {
        set about = '  ('$fields[1]')'
      }
      var suffix = ' '
      if (> (count $fields) 2) {
        set suffix = ''
      }
      edit:complex-candidate $value &display=$value$about &code-suffix=$suffix
    }
  }
}
