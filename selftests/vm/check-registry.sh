#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check-registry.sh: saved snapshots through a registry and back, by tools that know nothing of
# hlk: Debian's docker-registry, which runs here for the while, and skopeo. Digests have to
# be the same, what comes back has to be what was saved, and a layer is sent without what the
# registry has of its ancestors, by the registry's log. At the end the same with a guest that
# was saved in a VM, on the first of KERNELS, and runs in another VM when it came back; with
# KERNELS= all is native. The last line is `N passed, N failed, N skipped`.
. "$(dirname "$0")/common.sh"

"$VM_DIR/setup.sh" registry
record check-registry
build_user

dir=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
saved=$BUILD/user/asan/test-saved
passed=0 failed=0
at_exit rm -rf "$dir"

check() { # check WHAT COMMAND...
	local what=$1
	shift
	if "$@" > "$dir/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok $what"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$dir/out"
		echo "not ok $what"
	fi
}

digest() { # digest FOLDER NAME: of the manifest
	python3 -c 'import json, sys
for one in json.load(open(sys.argv[1] + "/index.json"))["manifests"]:
    if one["annotations"]["org.opencontainers.image.ref.name"] == sys.argv[2]:
        print(one["digest"])' "$1" "$2"
}

# blobs FOLDER NAME: digests of all that its manifest lists
blobs() {
	python3 -c 'import json, sys
m = json.load(open(sys.argv[1] + "/blobs/sha256/" + sys.argv[2][7:]))
print("\n".join(d["digest"] for d in m["layers"] + [m["config"]]))' "$1" "$(digest "$1" "$2")" |
		sort
}

push() { # push NAME [FOLDER]
	skopeo copy --dest-tls-verify=false "oci:$dir/${2:-saved}:$1" \
		"docker://localhost:$port/hlk${2:+/$2}:$1"
}

pull() { # pull NAME [FOLDER]: under the same name, to another folder
	skopeo copy --src-tls-verify=false "docker://localhost:$port/hlk${2:+/$2}:$1" \
		"oci:$dir/${2:-}back:$1"
}

# vm SETTING: saved.sh beside a sandbox's guest, with the disk of before
vm() {
	"$VM_DIR/run.sh" "$series" --disk 64 --disk-file "$dir/disk" --log "$BUILD/$series/registry" \
		--env "$1" --env CALLS=50 --data "$BUILD/user/hlk-run/hlk-run" \
		--data "$BUILD/user/guest/server.elf" -- "$TOP/selftests/saved.sh"
}

# debugfs says 0 of what is not there, too.
taken() {
	debugfs -R "rdump /saved $dir" "$dir/disk"
	mv "$dir/saved" "$dir/real"
}

# What came back is on a disk that nobody's fs-verity is on.
in_vm() {
	series=${KERNELS%% *}
	check "a guest is saved in a VM" vm KEEP=/disk/saved
	check "its snapshots are taken from the disk" taken
	[ -d "$dir/real" ] || return 0
	for name in sandbox layer; do
		check "its $name is pushed" push "$name" real
		check "its $name comes back" pull "$name" real
		check "its $name has the same digest" \
			test "$(digest "$dir/real" "$name")" = "$(digest "$dir/realback" "$name")"
	done
	[ -d "$dir/realback" ] || return 0
	mkdir -p "$dir/root"
	mv "$dir/realback" "$dir/root/saved"
	rm "$dir/disk"
	check "a disk with what came back" \
		mkfs.ext4 -q -b 4096 -O verity -d "$dir/root" "$dir/disk" 64M
	check "which runs in another VM" vm LOAD=/disk/saved
	sed -n '/^ok/s/^/# /p' "$dir/out"
}

# digests that were uploaded, of the registry's log from line FROM on
uploaded() { # uploaded FROM
	tail -n "+$1" "$dir/log" | grep -oE 'PUT /v2/hlk/blobs/uploads/[^ ]*digest=sha256%3A[0-9a-f]+' |
		sed 's/.*sha256%3A/sha256:/' | sort -u
}

make -s -C "$TOP/user" "$saved"
"$saved" --golden "$dir/saved"
cat > "$dir/config.yml" << END
version: 0.1
log: { accesslog: { disabled: false } }
storage: { filesystem: { rootdirectory: $dir/registry } }
http: { addr: "localhost:$port" }
END
docker-registry serve "$dir/config.yml" > "$dir/log" 2>&1 &
at_exit kill $!
for ((i = 0; i < 100; i++)); do
	! python3 -c 'import socket, sys; socket.create_connection(("localhost", int(sys.argv[1])))' \
		"$port" 2> /dev/null || break
	sleep 0.2
done

for name in sandbox machine; do
	check "$name is pushed" push "$name"
done
sleep 1
before=$(wc -l < "$dir/log")
check "a layer is pushed" push layer
sleep 1
uploaded "$((before + 1))" > "$dir/sent"
comm -12 <(blobs "$dir/saved" layer) <(blobs "$dir/saved" sandbox) > "$dir/common"
check "it has something in common with its parent" test -s "$dir/common"
check "of which nothing is sent again" test -z "$(comm -12 "$dir/sent" "$dir/common")"
check "all else is" test -s "$dir/sent"
for name in sandbox machine layer; do
	check "$name comes back" pull "$name"
	check "$name has the same digest" \
		test "$(digest "$dir/saved" "$name")" = "$(digest "$dir/back" "$name")"
done
check "what comes back is what was saved" "$saved" --check "$dir/back"
for name in sandbox machine layer; do
	check "$name can be looked at" "$BUILD/user/hlk-run/hlk-run" inspect "$dir/back" \
		--name "$name"
done
cat "$dir/out"
rm -rf "$dir/saved"
[ -z "$KERNELS" ] || PATH=$PATH:/sbin in_vm

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
