#!/bin/bash
# git.t - nginx, a cgi pool and git http-backend: clone, fetch and push
. "$(dirname "$0")/../lib/web.sh"
need nginx curl git
backend=$(git --exec-path)/git-http-backend
[ -x "$backend" ] || skip_all "git http-backend is missing"

export HOME=$dir GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
git config --global user.name tester
git config --global user.email tester@localhost
git config --global init.defaultBranch main
git config --global advice.detachedHead false

# A repository with a history, owned by the user that serves it.
mkdir "$dir/git" "$dir/tree"
git init -q --bare "$dir/git/demo.git"
git -C "$dir/git/demo.git" config http.receivepack true
git init -q "$dir/tree"
for n in 1 2 3 4 5; do
	echo "line $n" >>"$dir/tree/file"
	git -C "$dir/tree" add file
	git -C "$dir/tree" commit -q -m "commit $n"
done
git -C "$dir/tree" push -q "$dir/git/demo.git" main
! root || chown -R www-data:www-data "$dir/git"

web_pools <<END
[git]
mode = cgi
listen = $dir/git.sock
handler = $backend
END
fcgipm_start
nginx_start fcgipm-git
url=http://127.0.0.1:$port/git/demo.git

# try NAME COMMAND...: tests that it succeeds within a minute
try() {
	local name=$1
	shift
	timeout 60 "$@" >"$dir/said" 2>&1
	ok $? "$name" "$(cat "$dir/said")"
}

try clone git clone "$url" "$dir/clone"
is "$(git -C "$dir/clone" rev-parse HEAD)" \
	"$(git -C "$dir/tree" rev-parse HEAD)" "the clone has the last commit"
try "shallow clone" git clone --depth 1 "$url" "$dir/shallow"
is "$(git -C "$dir/shallow" rev-list --count HEAD)" 1 \
	"the shallow clone has one commit"

head -c 12000000 /dev/urandom >"$dir/clone/random"
git -C "$dir/clone" add random
git -C "$dir/clone" commit -q -m random
try "push of 12 MB" git -C "$dir/clone" push -q origin main
is "$(git --git-dir="$dir/git/demo.git" -c safe.directory='*' \
	rev-parse main)" "$(git -C "$dir/clone" rev-parse HEAD)" \
	"the push arrived"
try "fetch into the shallow clone" git -C "$dir/shallow" fetch -q --unshallow
try "clone of it" git clone -q "$url" "$dir/again"
cmp -s "$dir/clone/random" "$dir/again/random"
ok $? "the 12 MB are unchanged"
try "fsck of the clone" git -C "$dir/again" fsck --full --strict
try "fsck of the served repository" git --git-dir="$dir/git/demo.git" \
	-c safe.directory='*' fsck --full --strict

get /git/missing.git/info/refs?service=git-upload-pack
is "$status" 404 "a missing repository is 404"
unlike "$(cat "$dir/fcgipm.log")" 'error:' "the log has no error"
finish
