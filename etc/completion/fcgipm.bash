# bash completion for fcgipm, fcgipm-cgi and fcgipmctl.
#
# The package bash-completion loads it from share/bash-completion/completions.
# Without that package, source this file.

# The words of $1 that begin with $2.
_fcgipm_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Files, and directories that lead to files.
_fcgipm_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# The value of an option that several programs share; 1 = not such an option.
_fcgipm_value() {
	case $1 in
	-u | --user | -U | --socket-owner)
		mapfile -t COMPREPLY < <(compgen -u -- "$2") ;;
	-g | --group | -G | --socket-group)
		mapfile -t COMPREPLY < <(compgen -g -- "$2") ;;
	-e | --env)
		mapfile -t COMPREPLY < <(compgen -e -- "$2") ;;
	--config | --socket | --program | --pidfile | --listen)
		_fcgipm_files "$2" ;;
	--chroot | --docroot)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
	*)
		return 1 ;;
	esac
}

_fcgipm() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local i

	COMPREPLY=()
	# The handler and its arguments follow after "--".
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			if [ $((COMP_CWORD - i)) = 1 ]; then
				compopt -o filenames 2>/dev/null
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			else
				_fcgipm_files "$cur"
			fi
			return
		fi
	done
	_fcgipm_value "$prev" "$cur" && return
	case $prev in
	-m | --mode)
		_fcgipm_words 'prefork cgi' "$cur" ;;
	-M | --socket-mode)
		_fcgipm_words '0600 0660 0666' "$cur" ;;
	-c | -l | -P)
		_fcgipm_files "$cur" ;;
	-n | --workers | -h | --help | -V | --version) ;;
	*)
		_fcgipm_words '-c --config -D --daemon -t --test -tt
			-l --listen -m --mode -n --workers -u --user
			-g --group -M --socket-mode -U --socket-owner
			-G --socket-group --chroot -P --pidfile
			-h --help -V --version --' "$cur" ;;
	esac
}

_fcgipm_cgi() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	_fcgipm_value "$prev" "$cur" && return
	case $prev in
	-l | -s | -p)
		_fcgipm_files "$cur" ;;
	-d)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	-o | --option)
		compopt -o nospace 2>/dev/null
		_fcgipm_words 'cgi.allow_env= cgi.client_timeout=
			cgi.extensions= cgi.idle_timeout= cgi.index=
			cgi.interpreter= cgi.linger= cgi.max_body=
			cgi.max_header= cgi.nph= cgi.on_abort= cgi.split_path=
			chroot= docroot= group= handler_args=
			listen.allowed_clients= listen.backlog= listen.mode=
			no_new_privs= pm.max_children= process.priority=
			queue_timeout= request_terminate_timeout= rlimit_as=
			rlimit_core= rlimit_cpu= rlimit_files= rlimit_fsize=
			rlimit_nproc= umask= user=' "$cur" ;;
	-j | -c | --jobs | -P | --pool | -L | --listeners | \
		-h | --help | -V | --version) ;;
	*)
		case $cur in
		-*)
			_fcgipm_words '-l -s --listen -d --docroot -p --program
				-j -c --jobs -e --env -o --option
				-f --forward-stderr -P --pool -L --listeners
				--refuse -h --help -V --version' "$cur" ;;
		*)
			_fcgipm_files "$cur" ;;
		esac ;;
	esac
}

_fcgipmctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} options

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_fcgipm_words 'status call ping bench help -h --help
			-V --version' "$cur"
		return
	fi
	case $command:$prev in
	status:-c | status:-s | call:-b | call:--body)
		_fcgipm_files "$cur"
		return ;;
	call:-p | call:--param | bench:-p | bench:--param)
		compopt -o nospace 2>/dev/null
		_fcgipm_words 'SCRIPT_FILENAME= SCRIPT_NAME= PATH_INFO=
			REQUEST_METHOD= QUERY_STRING= CONTENT_TYPE=
			HTTP_HOST= HTTP_COOKIE= DOCUMENT_ROOT=' "$cur"
		return ;;
	bench:-b | bench:--body | bench:-c | bench:--connections | \
		bench:-d | bench:--duration | bench:-n | bench:--requests | \
		*:-T | *:--timeout)
		return ;;
	esac
	_fcgipm_value "$prev" "$cur" && return
	case $command in
	status)
		options='-c --config -s --socket -m --measure -j --json
			-T --timeout' ;;
	call)
		options='-p --param -b --body -i --include -v --verbose
			-T --timeout' ;;
	ping)
		options='-T --timeout' ;;
	bench)
		options='-c --connections -d --duration -n --requests
			-k --keep-alive -b --body -p --param -T --timeout
			-j --json' ;;
	help)
		_fcgipm_words 'status call ping bench' "$cur"
		return ;;
	*)
		return ;;
	esac
	case $command:$cur in
	*:-*)
		_fcgipm_words "$options -h --help -V --version" "$cur" ;;
	status:*)
		# The pools of the default supervisor.
		_fcgipm_words "$(fcgipmctl status -j 2>/dev/null |
			grep -o '"pool":"[A-Za-z0-9._-]*"' |
			cut -d '"' -f 4)" "$cur" ;;
	*)
		_fcgipm_files "$cur" ;;
	esac
}

complete -F _fcgipm fcgipm
complete -F _fcgipm_cgi fcgipm-cgi
complete -F _fcgipmctl fcgipmctl
