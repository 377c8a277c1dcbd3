<#
Installs fairlead for one user, without administrator rights:
  irm https://github.com/fairlead/fairlead/releases/latest/download/install.ps1 | iex
With options: save it, then  .\install.ps1 -Version 0.3.0
  -Version V            this version (default: the newest; $env:FAIRLEAD_VERSION)
  -Prefix DIR           in the place of %LOCALAPPDATA%\fairlead
  -Sha256 HEX           the file must have this SHA-256 too
  -RequireSignature     fail unless minisign or rsign has checked the release
  -RequireAttestation   fail unless gh or cosign has checked the file's origin
  -AddToPath            put the program's folder on the user's PATH
  -Force                install again what is installed already
  -Uninstall            remove what this script installed; .fairlead stays
$env:FAIRLEAD_RELEASES_URL names another address of releases (https).
All is within functions, and the last line calls the first of them: a download that was cut off does nothing.
#>

function Install-Fairlead {
    [CmdletBinding()]
    param(
        [string]$Version = $env:FAIRLEAD_VERSION,
        [string]$Prefix = (Join-Path $env:LOCALAPPDATA 'fairlead'),
        [string]$Sha256 = '',
        [switch]$RequireSignature,
        [switch]$RequireAttestation,
        [switch]$AddToPath,
        [switch]$Force,
        [switch]$Uninstall
    )
    $ErrorActionPreference = 'Stop'
    Set-StrictMode -Version 2
    $Repository = 'fairlead/fairlead'
    $PublicKeys = @()

    if (-not [IO.Path]::IsPathRooted($Prefix)) { throw "-Prefix must be an absolute path, not $Prefix." }
    $Prefix = $Prefix.TrimEnd('\')
    if ($Prefix -eq $env:USERPROFILE.TrimEnd('\') -or $Prefix -eq (Join-Path $env:USERPROFILE '.fairlead')) {
        throw "-Prefix must be a folder of its own, not $Prefix."
    }
    if ($Uninstall) {
        Remove-FairleadInstallation $Prefix
        return
    }
    if ($Version) { $Version = $Version -replace '^v', '' }
    if ($Version -and $Version -notmatch '^\d+(\.\d+)*$') { throw "-Version is such as 0.3.0, not $Version." }
    if ($Sha256 -and $Sha256 -notmatch '^[0-9a-fA-F]{64}$') { throw '-Sha256 is 64 hexadecimal digits.' }
    $releases = "https://github.com/$Repository/releases"
    if ($env:FAIRLEAD_RELEASES_URL) { $releases = $env:FAIRLEAD_RELEASES_URL.TrimEnd('/') }
    # Plain http is for a rehearsal on this machine.
    if ($releases -notmatch '^(https://.|http://(127\.0\.0\.1|localhost|\[::1\]):\d)') {
        throw "FAIRLEAD_RELEASES_URL must begin with https://, not be $releases."
    }
    $arch = Get-FairleadArchitecture
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

    $scratch = Join-Path ([IO.Path]::GetTempPath()) ('fairlead-install-' + [Guid]::NewGuid().ToString('N'))
    [void](New-Item -ItemType Directory -Path $scratch)
    $staged = Join-Path $Prefix "versions\.part-$PID"
    try {
        # --- the description of the release ---
        $place = "$releases/latest/download"
        if ($Version) { $place = "$releases/download/v$Version" }
        $manifest = Join-Path $scratch 'release.json'
        if (-not (Get-FairleadFile "$place/release.json" $manifest $releases)) {
            throw "There is no such release at $releases."
        }
        $signature = Test-FairleadSignature $manifest $place $releases $PublicKeys
        if ($RequireSignature -and -not $signature.StartsWith('ok')) { throw "-RequireSignature: the signature was $signature." }
        $release = [IO.File]::ReadAllText($manifest) | ConvertFrom-Json
        if ($release.schema -ne 1) { throw "release.json has a form that this script does not read. Get the present install.ps1." }
        if ($release.version -notmatch '^\d+\.\d+\.\d+$') { throw 'release.json names no version.' }
        if ($Version -and $release.version -ne $Version) { throw "release.json of $Version is that of $($release.version)." }
        if (-not $Version) { Test-FairleadAge $release $Prefix $releases }
        $Version = $release.version
        $file = @($release.files | Where-Object { $_.os -eq 'windows' -and $_.arch -eq $arch -and $_.form -eq 'folder' })
        if ($file.Count -ne 1) { throw "fairlead $Version has no program for Windows on $arch." }
        $file = $file[0]
        if ($file.name -notmatch '^[A-Za-z0-9][A-Za-z0-9._-]*$') { throw 'release.json names a file in another folder.' }
        if ($file.sha256 -notmatch '^[0-9a-f]{64}$') { throw "release.json has no SHA-256 of $($file.name). Nothing is installed unchecked." }
        if ($Sha256 -and $file.sha256 -ne $Sha256.ToLowerInvariant()) {
            throw "$($file.name) has another SHA-256 than -Sha256 asks for: $($file.sha256)."
        }

        # --- what is there already ---
        $target = Join-Path $Prefix "versions\$Version"
        $program = Join-Path $target 'fairlead.exe'
        Show-OtherFairlead $Prefix
        $there = (-not $Force) -and (Test-Path -LiteralPath $program) -and ((& $program --version) -eq "fairlead $Version")
        if (-not $there) {
            # --- the file ---
            Write-Host "$($file.name)   $([int]($file.size / 1MB)) MB from $place"
            $place = "$releases/download/v$Version"
            $archive = Join-Path $scratch $file.name
            if (-not (Get-FairleadFile "$place/$($file.name)" $archive $releases)) { throw "$place/$($file.name) is not there." }
            if ((Get-Item -LiteralPath $archive).Length -ne $file.size) { throw "$($file.name) was cut off or changed. Try again." }
            if ((Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash.ToLowerInvariant() -ne $file.sha256) {
                throw "$($file.name) has another SHA-256 than release.json says."
            }
            $attestation = Test-FairleadAttestation $archive $place $releases $Repository $Version $RequireAttestation

            # --- unpacked beside the place where it goes, and run there once ---
            [void](New-Item -ItemType Directory -Force -Path (Join-Path $Prefix 'versions'))
            # Of a killed installer that had the same number.
            if (Test-Path -LiteralPath $staged) { Remove-Item -LiteralPath $staged -Recurse -Force }
            [void](New-Item -ItemType Directory -Path $staged)
            Expand-FairleadArchive $archive $staged
            $tree = Join-Path $staged 'fairlead'
            $told = & (Join-Path $tree 'fairlead.exe') --version
            if ($LASTEXITCODE -ne 0 -or $told -ne "fairlead $Version") {
                throw "The new program does not run here, or is not fairlead $Version. Nothing was installed."
            }
            if (Test-Path -LiteralPath $target) { [IO.Directory]::Move($target, "$staged.old") }
            try { [IO.Directory]::Move($tree, $target) }
            catch {
                # What was there goes back: it may be what `current` leads to.
                if (Test-Path -LiteralPath "$staged.old") { [IO.Directory]::Move("$staged.old", $target) }
                throw
            }
        }
        Set-FairleadCurrent $Prefix $Version
        if ($there) {
            Write-Host "fairlead $Version is installed already: $program   (-Force installs it again)"
        }
        else {
            Write-Host "fairlead $Version is installed: $program"
            Write-Host '  hash         ok: SHA-256 as in release.json'
            Write-Host "  signature    $signature"
            Write-Host "  attestation  $attestation"
        }
        Add-FairleadPath (Join-Path $Prefix 'current') $AddToPath
    }
    finally {
        foreach ($left in @($scratch, $staged, "$staged.old")) {
            if (Test-Path -LiteralPath $left) { Remove-Item -LiteralPath $left -Recurse -Force -ErrorAction SilentlyContinue }
        }
    }
}

function Get-FairleadArchitecture {
    # A 32-bit PowerShell is told the machine's own in the second one.
    $name = $env:PROCESSOR_ARCHITECTURE
    if ($env:PROCESSOR_ARCHITEW6432) { $name = $env:PROCESSOR_ARCHITEW6432 }
    switch ($name) {
        'AMD64' { return 'x86_64' }
        'ARM64' { return 'arm64' }
        default { throw "There is no fairlead for Windows on $name." }
    }
}

# May a redirect lead there: to the address of releases, and from GitHub to where it keeps their files.
function Test-FairleadAddress([Uri]$Url, [Uri]$Releases) {
    if ($Url.Scheme -ne $Releases.Scheme) { return $false }
    if ($Url.Authority -eq $Releases.Authority) { return $true }
    return $Releases.Authority -eq 'github.com' -and $Url.Authority.EndsWith('.githubusercontent.com')
}

# True when the file was written; false when the server does not have it.
function Get-FairleadFile([Uri]$Url, [string]$Path, [Uri]$Releases) {
    Add-Type -AssemblyName System.Net.Http
    $handler = New-Object System.Net.Http.HttpClientHandler
    $handler.AllowAutoRedirect = $false
    $client = New-Object System.Net.Http.HttpClient($handler)
    $client.Timeout = [TimeSpan]::FromMinutes(15)
    try {
        for ($hop = 0; $hop -le 5; $hop++) {
            $answer = $client.GetAsync($Url, [System.Net.Http.HttpCompletionOption]::ResponseHeadersRead).GetAwaiter().GetResult()
            try {
                $status = [int]$answer.StatusCode
                if ($status -eq 404 -or $status -eq 410) { return $false }
                if ($status -eq 200) {
                    $out = [IO.File]::Create($Path)
                    try {
                        $in = $answer.Content.ReadAsStreamAsync().GetAwaiter().GetResult()
                        $buffer = New-Object byte[] 65536
                        $total = 0
                        while (($count = $in.Read($buffer, 0, $buffer.Length)) -gt 0) {
                            $total += $count
                            if ($total -gt 128MB) { throw "$Url is larger than any release." }
                            $out.Write($buffer, 0, $count)
                        }
                    }
                    finally { $out.Dispose() }
                    return $true
                }
                if (301, 302, 303, 307, 308 -notcontains $status -or $null -eq $answer.Headers.Location) {
                    throw "$Url answered with status $status. Try again later."
                }
                $next = New-Object Uri($Url, $answer.Headers.Location)
            }
            finally { $answer.Dispose() }
            if (-not (Test-FairleadAddress $next $Releases)) {
                throw "$Url redirects to $next, which is not where releases are. Nothing was installed."
            }
            $Url = $next
        }
        throw 'There are more than five redirects.'
    }
    finally { $client.Dispose() }
}

function Test-FairleadSignature([string]$Manifest, [string]$Place, [Uri]$Releases, [string[]]$Keys) {
    if (-not $Keys) { return 'not checked: this script has no public keys' }
    $tool = Get-Command -Name minisign, rsign -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $tool) { return 'not checked: neither minisign nor rsign is here' }
    if (-not (Get-FairleadFile "$Place/release.json.minisig" "$Manifest.minisig" $Releases)) {
        throw 'release.json has no signature. Nothing was installed.'
    }
    foreach ($key in $Keys) {
        if ($tool.Name -like 'minisign*') {
            & $tool.Source -V -q -m $Manifest -x "$Manifest.minisig" -P $key | Out-Null
        }
        else {
            & $tool.Source verify -q -P $key -x "$Manifest.minisig" $Manifest | Out-Null
        }
        if ($LASTEXITCODE -eq 0) { return 'ok: release.json, by minisign' }
    }
    throw 'The signature of release.json is wrong. Nothing was installed.'
}

# An old description that is served in the place of the newest hides what was mended since.
function Test-FairleadAge($Release, [string]$Prefix, [string]$Releases) {
    if ($Release.expires -notmatch '^\d{4}-\d\d-\d\d$') { throw 'release.json does not say until when it is the newest.' }
    if ([string]::CompareOrdinal([DateTime]::UtcNow.ToString('yyyy-MM-dd'), $Release.expires) -ge 0) {
        throw "The newest release at $Releases has expired: $($Release.version). To have it nonetheless:   -Version $($Release.version)"
    }
    $current = Get-Item -LiteralPath (Join-Path $Prefix 'current') -ErrorAction SilentlyContinue
    if (-not $current) { return }
    $present = Split-Path -Leaf @($current.Target)[0]
    if ($present -match '^\d+\.\d+\.\d+$' -and [Version]$present -gt [Version]$Release.version) {
        throw "$present is installed, and the newest at $Releases is $($Release.version). To go back to it:   -Version $($Release.version)"
    }
}

# Where the file was built: by the release workflow of the repository, for this version's tag.
function Test-FairleadAttestation([string]$Archive, [string]$Place, [Uri]$Releases, [string]$Repository, [string]$Version, [bool]$Required) {
    $workflow = "$Repository/.github/workflows/build.yml"
    $gh = Get-Command gh -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    $cosign = Get-Command cosign -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    $why = 'not checked: neither gh nor cosign is here'
    if ($gh) {
        $in = [bool]($env:GH_TOKEN -or $env:GITHUB_TOKEN)
        if (-not $in) {
            & $gh.Source auth token | Out-Null
            $in = $LASTEXITCODE -eq 0
        }
        if ($in) {
            & $gh.Source attestation verify $Archive --repo $Repository --signer-workflow $workflow --source-ref "refs/tags/v$Version" --deny-self-hosted-runners | Out-Null
            if ($LASTEXITCODE -ne 0) { throw "gh found no valid attestation of $(Split-Path -Leaf $Archive). Nothing was installed." }
            return 'ok: by gh'
        }
        $why = 'not checked: gh is not logged in'
    }
    if ($cosign) {
        $bundle = "$Archive.sigstore.json"
        if (-not (Get-FairleadFile "$Place/$(Split-Path -Leaf $bundle)" $bundle $Releases)) { throw 'There is no bundle for cosign. Nothing was installed.' }
        & $cosign.Source verify-blob $Archive --bundle $bundle --new-bundle-format --certificate-identity "https://github.com/$workflow@refs/tags/v$Version" --certificate-oidc-issuer https://token.actions.githubusercontent.com | Out-Null
        if ($LASTEXITCODE -ne 0) { throw 'cosign refuses the bundle. Nothing was installed.' }
        return 'ok: by cosign'
    }
    if ($Required) { throw "-RequireAttestation: it was $why." }
    return $why
}

function Expand-FairleadArchive([string]$Archive, [string]$Target) {
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    $zip = [IO.Compression.ZipFile]::OpenRead($Archive)
    try {
        foreach ($entry in $zip.Entries) {
            if ($entry.FullName -notmatch '^fairlead/' -or $entry.FullName -match '(^|[\\/])\.\.([\\/]|$)|:') {
                throw "The archive has a name outside of its folder: $($entry.FullName). Nothing was installed."
            }
        }
    }
    finally { $zip.Dispose() }
    [IO.Compression.ZipFile]::ExtractToDirectory($Archive, $Target)
}

# `current` is a junction: it needs no rights, and a program that runs keeps the folder that it came from.
function Set-FairleadCurrent([string]$Prefix, [string]$Version) {
    $current = Join-Path $Prefix 'current'
    $new = Join-Path $Prefix ".current-$PID"
    $old = Join-Path $Prefix ".current-old-$PID"
    [void](New-Item -ItemType Junction -Path $new -Value (Join-Path $Prefix "versions\$Version"))
    if (Test-Path -LiteralPath $current) { [IO.Directory]::Move($current, $old) }
    try { [IO.Directory]::Move($new, $current) }
    catch {
        if (Test-Path -LiteralPath $old) { [IO.Directory]::Move($old, $current) }
        [IO.Directory]::Delete($new, $false)
        throw
    }
    # Not Remove-Item, which in PowerShell 5.1 empties the folder behind a junction.
    if (Test-Path -LiteralPath $old) { [IO.Directory]::Delete($old, $false) }
    $receipt = [ordered]@{
        schema    = 1
        installer = 'install.ps1'
        form      = 'folder'
        prefix    = $Prefix
        channel   = 'stable'
        link      = (Join-Path $current 'fairlead.exe')
    }
    $part = Join-Path $Prefix ".receipt-$PID"
    [IO.File]::WriteAllText($part, (($receipt | ConvertTo-Json -Compress) + "`n"))
    Move-Item -LiteralPath $part -Destination (Join-Path $Prefix 'receipt.json') -Force
}

function Show-OtherFairlead([string]$Prefix) {
    foreach ($other in @(Get-Command fairlead -CommandType Application -All -ErrorAction SilentlyContinue)) {
        if ($other.Source.StartsWith("$Prefix\versions\", [StringComparison]::OrdinalIgnoreCase)) {
            $folder = Split-Path -Parent $other.Source
            Write-Host "note: $($other.Source) starts $(Split-Path -Leaf $folder) whatever is installed: it leads past $Prefix\current"
            Write-Host "      Put $Prefix\current on your PATH in the place of $folder"
            continue
        }
        if ($other.Source.StartsWith("$Prefix\", [StringComparison]::OrdinalIgnoreCase)) { continue }
        $owner = 'another installation'
        if ($other.Source -match '\\scoop\\') { $owner = 'Scoop; remove it with:   scoop uninstall fairlead' }
        elseif ($other.Source -match '\\WinGet\\') { $owner = 'winget; remove it with:   winget uninstall fairlead' }
        elseif ($other.Source -match '\\Python\d*\\|\\Scripts\\') { $owner = 'pip' }
        Write-Host "note: another fairlead is on your PATH: $($other.Source) ($owner)"
    }
}

function Add-FairleadPath([string]$Folder, [bool]$Write) {
    $user = [Environment]::GetEnvironmentVariable('Path', 'User')
    if (@("$user;$env:Path" -split ';') -contains $Folder) { return }
    if ($Write) {
        [Environment]::SetEnvironmentVariable('Path', (@($user, $Folder) -ne '' -join ';'), 'User')
        Write-Host "$Folder is on your PATH in every new terminal."
        return
    }
    Write-Host "$Folder is not on your PATH. For this terminal:"
    Write-Host "  `$env:Path += ';$Folder'"
    Write-Host 'For every new one, run install.ps1 with -AddToPath.'
}

function Remove-FairleadInstallation([string]$Prefix) {
    $path = Join-Path $Prefix 'receipt.json'
    if (-not (Test-Path -LiteralPath $path)) { throw "$Prefix has no fairlead of this script. Name its folder with -Prefix." }
    $receipt = [IO.File]::ReadAllText($path) | ConvertFrom-Json
    if ('install.ps1', 'upgrade' -notcontains $receipt.installer) { throw "$Prefix was installed by something else, as $path says." }
    $current = Join-Path $Prefix 'current'
    $user = [Environment]::GetEnvironmentVariable('Path', 'User')
    if (@("$user" -split ';') -contains $current) {
        [Environment]::SetEnvironmentVariable('Path', (@("$user" -split ';') -ne $current -join ';'), 'User')
    }
    if (Test-Path -LiteralPath $current) { [IO.Directory]::Delete($current, $false) }
    $versions = Join-Path $Prefix 'versions'
    foreach ($folder in @(Get-ChildItem -LiteralPath $versions -Directory -Force -ErrorAction SilentlyContinue)) {
        if ($folder.Name -like '.part-*' -or $folder.Name -like '.gone-*' -or (Test-Path -LiteralPath (Join-Path $folder.FullName 'fairlead.exe'))) {
            Remove-Item -LiteralPath $folder.FullName -Recurse -Force
        }
    }
    Remove-Item -LiteralPath $path -Force
    $lock = Join-Path $Prefix 'upgrade.lock'
    if (Test-Path -LiteralPath $lock) { Remove-Item -LiteralPath $lock -Force }
    foreach ($folder in @($versions, $Prefix)) {
        if ((Test-Path -LiteralPath $folder) -and -not (Get-ChildItem -LiteralPath $folder -Force)) { [IO.Directory]::Delete($folder, $false) }
    }
    Write-Host 'fairlead is removed. Your settings, keys and history stay in .fairlead of your home.'
}

Install-Fairlead @args
