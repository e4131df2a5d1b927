# Completions of codex-manager for PowerShell 5.1 or newer; made by `codex-manager completions powershell`.
Register-ArgumentCompleter -Native -CommandName 'codex-manager' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @(foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $element.Value }
        else { $element.Extent.Text }
    })
    $program = if ($words.Count -gt 0) { $words[0] -replace '^~(?=[/\\])', $HOME } else { 'codex-manager' }
    $code = $global:LASTEXITCODE
    $encoding = [Console]::OutputEncoding
    try {
        [Console]::OutputEncoding = [System.Text.Encoding]::UTF8
        $answer = @(& $program completions powershell -- @words "=$wordToComplete" 2>$null)
    } catch {
        $answer = @()
    } finally {
        [Console]::OutputEncoding = $encoding
        $global:LASTEXITCODE = $code
    }
    foreach ($line in $answer) {
        $value, $about, $end = $line -split "`t"
        if ($value -eq ':dirs' -or $value -eq ':files') {
            foreach ($path in [System.Management.Automation.CompletionCompleters]::CompleteFilename("$end")) {
                if ($value -eq ':files' -or $path.ResultType -eq 'ProviderContainer') {
                    [System.Management.Automation.CompletionResult]::new(
                        "$about$($path.CompletionText)", $path.ListItemText, $path.ResultType, $path.ToolTip)
                }
            }
        } elseif ($value) {
            $typed = if ($value -match '^[\w.,:/=+%-][\w.,:/=+%@~#-]*$') { $value } else { "'" + $value.Replace("'", "''") + "'" }
            $tip = if ($about) { $about } else { $value }
            [System.Management.Automation.CompletionResult]::new($typed, $value, 'ParameterValue', $tip)
        }
    }
}
