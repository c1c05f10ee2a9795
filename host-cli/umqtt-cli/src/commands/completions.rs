//! `umqtt completions`: decides what a shell has to read once so that it asks this program for completions.

use std::io::Write;

use board_link::Lang;
use clap_complete::env::{EnvCompleter, Fish, Powershell, Zsh};

use crate::cli::{CompletionsOptions, Shell};
use crate::completion::VARIABLE;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::output;

/// What bash reads. clap_complete's own script hands on the words as bash has cut them, at every colon and equals sign,
/// of which ports and the board's paths are full; this one puts them together again, and gives bash back only what is
/// behind its last cut.
const BASH: &str = r#"_umqtt_complete() {
    local IFS=$'\013' rest="$COMP_LINE" words=() word last=-1 i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if ((i > 0)) && [[ -n "$word" && "$rest" != [[:space:]]* ]]; then
            words[last]+="$word"
        else
            last=$((last + 1))
            words[last]="$word"
        fi
        rest="${rest#*"$word"}"
    done
    local current="${words[last]}"
    local before="${current%"$2"}"
    local space=true
    compopt +o nospace 2> /dev/null && space=false
    COMPREPLY=( $( \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$last" \
        _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
        _CLAP_COMPLETE_SPACE="$space" \
        COMPLETE="bash" \
        PROGRAM -- "${words[@]}" \
    ) )
    if [[ $? != 0 ]]; then
        unset COMPREPLY
        return
    fi
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        COMPREPLY[i]="${COMPREPLY[i]#"$before"}"
    done
    if [[ $space == false && "${COMPREPLY-}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
complete -o nospace -o bashdefault -F _umqtt_complete umqtt
"#;

/// By its full path, since it need not be on PATH.
fn program() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_ref().and_then(|path| path.to_str());
    program.unwrap_or("umqtt").to_owned()
}

pub fn run(options: &CompletionsOptions, lang: Lang) -> Result<(), Failure> {
    lines::refuse(
        lang.pick(
            "what a shell reads is no JSON",
            "lo que lee un shell no es JSON",
        ),
        lang.pick("leave --json out", "quita --json"),
    )?;
    let shell: &dyn EnvCompleter = match options.shell {
        Shell::Bash => {
            let program = program();
            let quoted = format!("'{}'", program.replace('\'', r"'\''"));
            return output::print(BASH.replace("PROGRAM", &quoted).as_bytes(), lang);
        }
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let program = program();
    let mut text = Vec::new();
    shell
        .write_registration(VARIABLE, "umqtt", "umqtt", &program, &mut text)
        .map_err(|error| {
            let message = lang.pick(
                "the completions cannot be written",
                "no se pueden escribir los completados",
            );
            Failure::complete(Status::Failed, format!("{message}: {error}"))
        })?;
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(&text);
    Ok(())
}
