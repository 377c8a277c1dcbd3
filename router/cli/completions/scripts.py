"""The script of each shell: it asks `fairlead __complete`, and gives the shell what that answers."""

from collections.abc import Mapping

_BASH = r"""# fairlead: completion for bash 3.2 and later.  Written by: fairlead completions bash
# To use it in this shell:   eval "$(fairlead completions bash)"
# In all new ones (with bash-completion):   fairlead completions bash --install
_fairlead() {
    local line=${COMP_LINE:0:COMP_POINT} rest word gap answer item i
    local words=()
    # COMP_WORDS has `groq:model` and `--port=1` in parts; what has no space between belongs together.
    rest=$line
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        gap=${rest%%[![:space:]]*}
        rest=${rest#"$gap"}
        case $rest in
            "$word"*) rest=${rest#"$word"} ;;
            *) word=$rest rest= ;;
        esac
        if [ ${#words[@]} -eq 0 ] || [ -n "$gap" ]; then
            words+=("$word")
        else
            words[${#words[@]}-1]+=$word
        fi
    done
    COMPREPLY=()
    i=$((${#words[@]} - 1))
    answer=$(FAIRLEAD_WORDBREAKS=$COMP_WORDBREAKS command fairlead __complete bash $i "${words[@]}" 2>/dev/null)
    if [ "${answer%%$'\n'*}" != files ]; then
        # bash 3.2 has no compopt, and offers files where nothing else is known.
        compopt +o default 2>/dev/null
    fi
    i=0
    while IFS= read -r item; do
        if ((i++ > 0)); then COMPREPLY+=("$item"); fi
    done <<<"$answer"
    case ${#COMPREPLY[@]}${COMPREPLY[0]-} in
        1*[.:=]) compopt -o nospace 2>/dev/null ;;
    esac
}
complete -o default -F _fairlead fairlead
"""

_ZSH = r"""#compdef fairlead
# fairlead: completion for zsh.  Written by: fairlead completions zsh
# To use it in this shell:   eval "$(fairlead completions zsh)"
# In all new ones:   fairlead completions zsh --install
_fairlead() {
    local -a answer whole begun typed
    local line
    typed=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
    answer=("${(@f)$(command fairlead __complete zsh $((CURRENT - 1)) "${typed[@]}" 2>/dev/null)}")
    for line in "${(@)answer[2,-1]}"; do
        case $line in
            (0*) begun+=("${line#0}") ;;
            (1*) whole+=("${line#1}") ;;
        esac
    done
    local result=1
    (( ${#begun} )) && _describe -V 'fairlead' begun -S '' && result=0
    (( ${#whole} )) && _describe -V 'fairlead' whole && result=0
    if [[ $answer[1] == files ]]; then
        compset -P '--[^=]#='
        _files && result=0
    fi
    return result
}
if [[ $funcstack[1] == _fairlead ]]; then
    _fairlead "$@"
else
    compdef _fairlead fairlead
fi
"""

_FISH = r"""# fairlead: completion for fish.  Written by: fairlead completions fish
# To use it in this shell:   fairlead completions fish | source
# In all new ones:   fairlead completions fish --install
function __fairlead_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (command fairlead __complete fish (count $before) $before "$current" 2>/dev/null)
    if test "$answer[1]" = files
        set -l option (string match -r -- '^--[^=]*=' "$current")
        for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$current"))
            echo -- "$option$path"
        end
    end
    printf '%s\n' $answer[2..-1]
end
complete -c fairlead -f -k -a '(__fairlead_complete)'
"""

_POWERSHELL = r"""# fairlead: completion for PowerShell 5.1 and later.  Written by: fairlead completions powershell
# To use it in this shell:   fairlead completions powershell | Out-String | Invoke-Expression
# In all new ones, put that line into the file that $PROFILE names.
Register-ArgumentCompleter -Native -CommandName fairlead -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @()
    foreach ($element in $commandAst.CommandElements) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $words += $element.Value
        } else {
            $words += $element.Extent.Text
        }
    }
    $number = $words.Count
    # Windows PowerShell hands no empty argument to a program: the number says that the last word is empty.
    if ($wordToComplete) { $words += $wordToComplete }
    $program = Get-Command fairlead -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $program) { return }
    & $program __complete powershell $number @words 2>$null | Select-Object -Skip 1 | ForEach-Object {
        $text, $shown, $about = $_ -split "`t", 3
        [System.Management.Automation.CompletionResult]::new($text, $shown, 'ParameterValue', $about)
    }
}
"""

#: Shell -> its script.
SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
